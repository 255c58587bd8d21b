import re
from pathlib import Path

import pytest

from backends import protos
from backends.protos.generate import generate

FOLDER = Path(protos.__file__).parent


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    output = tmp_path_factory.mktemp("generated")
    generate(output)
    return output / "backends" / "protos"


def read_descriptor(path):
    """Read the contract that the module carries, whatever made the module."""
    return re.search(r"AddSerializedFile\((.*)\)", path.read_text())[1]


@pytest.mark.parametrize("name", ["calls", "notification", "order"])
def test_generated_modules_belong_to_their_contracts(fresh, name):
    module, stub = f"{name}_pb2.py", f"{name}_pb2_grpc.pyi"

    assert read_descriptor(FOLDER / module) == read_descriptor(fresh / module)
    assert (FOLDER / stub).read_text() == (fresh / stub).read_text()

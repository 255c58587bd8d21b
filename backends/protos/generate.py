"""Generate the modules that belong to the ``.proto`` files: ``make protos``.

Writes ``NAME_pb2.py``, ``NAME_pb2.pyi``, ``NAME_pb2_grpc.py`` and ``NAME_pb2_grpc.pyi``
beside ``NAME.proto``. Run it as ``python -m backends.protos.generate``.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor_pb2 import (
        FileDescriptorProto,
        MethodDescriptorProto,
        ServiceDescriptorProto,
    )

__all__ = ["generate", "main", "print_grpc_stub"]

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent


def generate(output: Path) -> None:
    """Write the generated modules of every ``.proto`` file below ``output``.

    Beside them lies ``shop.binpb``, which describes all of them to programs.

    ``protoc`` names modules by their path from the root it is given, so the checkout
    is the root: the modules then import each other as ``backends.protos.NAME_pb2``.
    """
    protos = [str(path.relative_to(ROOT)) for path in sorted(FOLDER.glob("*.proto"))]
    descriptors = output / FOLDER.relative_to(ROOT) / "shop.binpb"
    descriptors.parent.mkdir(parents=True, exist_ok=True)
    code = protoc.main(
        [
            "protoc",
            f"--proto_path={ROOT}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={output}",
            f"--pyi_out={output}",
            f"--grpc_python_out={output}",
            f"--descriptor_set_out={descriptors}",
            "--include_imports",
            *protos,
        ]
    )
    if code:
        raise SystemExit(code)
    described = FileDescriptorSet.FromString(descriptors.read_bytes())
    for file in described.file:
        if file.name not in protos:
            continue
        stub = output / file.name.replace(".proto", "_pb2_grpc.pyi")
        stub.write_text(print_grpc_stub(file))


def print_grpc_stub(file: FileDescriptorProto) -> str:
    """Print the types of a ``_pb2_grpc`` module, which ``grpcio-tools`` leaves out.

    Messages have to be declared in the same file; streams go from server to client.
    """
    module = f"{Path(file.name).stem}_pb2"
    package = ".".join(Path(file.name).parent.parts)
    lines = [
        "from collections.abc import AsyncIterator",
        "",
        "import grpc",
        "import grpc.aio",
        "",
        f"from {package} import {module}",
    ]
    for service in file.service:
        lines += _print_service(service, f".{file.package}.", module)
    return "\n".join(lines) + "\n"


def _print_service(
    service: ServiceDescriptorProto, prefix: str, module: str
) -> Iterator[str]:
    methods = [
        (method, *(_python_name(name, prefix, module) for name in names))
        for method in service.method
        for names in [(method.input_type, method.output_type)]
    ]
    yield f"\nclass {service.name}Stub:"
    yield "    def __init__(self, channel: grpc.aio.Channel) -> None: ..."
    for method, request, response in methods:
        call = _multi_callable(method)
        yield f"    {method.name}: grpc.aio.{call}[{request}, {response}]"
    yield f"\nclass {service.name}Servicer:"
    for method, request, response in methods:
        keyword = "def" if method.server_streaming else "async def"
        answer = f"AsyncIterator[{response}]" if method.server_streaming else response
        context = f"grpc.aio.ServicerContext[{request}, {response}]"
        yield f"    {keyword} {method.name}("
        yield f"        self, request: {request}, context: {context}"
        yield f"    ) -> {answer}: ..."
    yield f"\ndef add_{service.name}Servicer_to_server("
    yield f"    servicer: {service.name}Servicer, server: grpc.aio.Server"
    yield ") -> None: ..."


def _python_name(message: str, prefix: str, module: str) -> str:
    return f"{module}.{message.removeprefix(prefix)}"


def _multi_callable(method: MethodDescriptorProto) -> str:
    return (
        "UnaryStreamMultiCallable"
        if method.server_streaming
        else "UnaryUnaryMultiCallable"
    )


def main() -> None:
    """Generate into this checkout."""
    generate(ROOT)
    sys.stdout.write(f"generated the modules of {FOLDER.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()

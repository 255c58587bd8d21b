import pytest

from graphgw.execution.shape import (
    CompositeShape,
    FieldShape,
    LeafShape,
    ListShape,
    ObjectShape,
    ValueShape,
    find_type,
)


def field(key, kind):
    return FieldShape(key, key, ValueShape(kind, is_non_null=False))


def composite(*objects, is_abstract=False):
    shapes = {shape.type_name: shape for shape in objects}
    return CompositeShape(objects[0].type_name, is_abstract, shapes)


IMAGE = ObjectShape("Image", (field("size", LeafShape("Int", "Int")),))
MEDIA = composite(IMAGE, is_abstract=True)
PRODUCT = ObjectShape(
    "Product",
    (
        FieldShape("__typename", "__typename", None),
        field("media", MEDIA),
        field("image", composite(IMAGE)),
    ),
)
PRODUCTS = ListShape(
    ValueShape(
        ListShape(ValueShape(composite(PRODUCT), is_non_null=True)), is_non_null=True
    )
)
QUERY = ObjectShape("Query", (field("products", PRODUCTS),))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param((), "Query", id="root"),
        pytest.param(("products",), "Product", id="lists"),
        pytest.param(("products", "image"), "Image", id="object"),
        pytest.param(("products", "media"), None, id="interface"),
        pytest.param(("products", "image", "size"), None, id="leaf"),
        pytest.param(("products", "__typename"), None, id="typename"),
        pytest.param(("orders",), None, id="not-selected"),
        pytest.param(("orders", "image"), None, id="below-what-is-not-selected"),
    ],
)
def test_a_type_is_found_where_there_is_one_alone(path, expected):
    assert find_type(QUERY, path) == expected

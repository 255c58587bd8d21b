"""Descriptors of messages and methods, from files that protoc or a service made."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from graphgw.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.descriptor import Descriptor, MethodDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

__all__ = ["Descriptors", "read_descriptor_file"]


def read_descriptor_file(path: Path, where: str) -> FileDescriptorSet:
    """Return what ``protoc --descriptor_set_out --include_imports`` wrote.

    Raises:
        ConfigurationError: The file cannot be read, or is something else.
    """
    try:
        return FileDescriptorSet.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        mend = "make it by protoc --include_imports --descriptor_set_out=FILE"
        problem = Problem(f"{path} cannot be read: {error}", where, mend)
        raise ConfigurationError([problem]) from error


class Descriptors:
    """Messages and methods by their full names.

    Args:
        files: In any order; what only protobuf itself declares may be missing.

    Raises:
        TypeError: The files do not fit together.
    """

    __slots__ = ("pool",)

    def __init__(self, files: FileDescriptorSet) -> None:
        self.pool: DescriptorPool = descriptor_pool.DescriptorPool()
        for file in _in_order({file.name: file for file in files.file}):
            self.pool.Add(file)

    def service_methods(self, name: str) -> list[MethodDescriptor]:
        """Return the methods of a service, in the order of its declaration.

        Raises:
            KeyError: There is no such service.
        """
        return list(self.pool.FindServiceByName(name).methods)

    def method(self, name: str) -> MethodDescriptor:
        """Return the method ``package.Service/Method``.

        Raises:
            KeyError: There is none.
        """
        service, _, method = name.strip("/").partition("/")
        return self.pool.FindServiceByName(service).methods_by_name[method]

    def message_class(self, descriptor: Descriptor) -> type[Message]:
        """Return the class of a message."""
        found: Any = GetMessageClass(descriptor)
        kind: type[Message] = found
        return kind


def _in_order(
    files: dict[str, FileDescriptorProto],
) -> Iterator[FileDescriptorProto]:
    """Yield files after those that they import; a cycle is the pool's to refuse."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[FileDescriptorProto]:
        if name in done:
            return
        done.add(name)
        file = files.get(name) or _own_file(name)
        if file is None:
            return
        for needed in file.dependency:
            yield from visit(needed)
        yield file

    for name in files:
        yield from visit(name)


def _own_file(name: str) -> FileDescriptorProto | None:
    """Return a file that a library here has the module of."""
    if not name.startswith(("google/protobuf/", "google/api/")):
        return None
    module = f"{name.removesuffix('.proto').replace('/', '.')}_pb2"
    try:
        known = import_module(module).DESCRIPTOR
    except ImportError:
        return None
    file = FileDescriptorProto()
    known.CopyToProto(file)
    return file

from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("endpoints",)
    class EndpointsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: EndpointCalls
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[EndpointCalls, _Mapping]] = ...) -> None: ...
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    endpoints: _containers.MessageMap[str, EndpointCalls]
    def __init__(self, endpoints: _Optional[_Mapping[str, EndpointCalls]] = ...) -> None: ...

class EndpointCalls(_message.Message):
    __slots__ = ("calls", "keys", "with_deadline", "last_timeout_ms", "last_metadata")
    class LastMetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CALLS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    WITH_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    LAST_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_METADATA_FIELD_NUMBER: _ClassVar[int]
    calls: int
    keys: int
    with_deadline: int
    last_timeout_ms: int
    last_metadata: _containers.ScalarMap[str, str]
    def __init__(self, calls: _Optional[int] = ..., keys: _Optional[int] = ..., with_deadline: _Optional[int] = ..., last_timeout_ms: _Optional[int] = ..., last_metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ResetRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

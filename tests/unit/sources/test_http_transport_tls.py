import asyncio
import ssl

import pytest
from support.certificates import make_certificate

from graphgw.errors import SourceUnreachableError
from graphgw.sources.http_transport.settings import TransportSettings
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.sources.settings import TLSSettings
from graphgw.types import Deadline

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "users.test", "127.0.0.3")


class LoopbackResolver:
    async def resolve(self, host):
        del host
        return ("127.0.0.1",)

    def close(self):
        pass


class TLSServer:
    def __init__(self, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.context.sni_callback = self.note
        self.asked_for = []

    def note(self, _, name, __):
        self.asked_for.append(name)

    async def __aenter__(self):
        self.server = await asyncio.start_server(
            self.serve, "127.0.0.1", 0, ssl=self.context
        )
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader, writer):
        while await reader.read(65536):
            writer.write(ANSWER)
        writer.close()


def request(url):
    return HTTPRequest("GET", url, Deadline.after(5), source="user")


async def test_a_trusted_server_is_asked_for_by_its_name(certificate):
    settings = TransportSettings(tls=TLSSettings(ca_file=certificate.file))
    async with TLSServer(certificate) as server:
        transport = HTTPTransport(settings, resolver=LoopbackResolver())
        for _ in range(2):
            response = await transport.send(
                request(f"https://users.test:{server.port}/")
            )

        assert response.body == b"ok"
        assert server.asked_for == ["users.test"]
        await transport.aclose()


async def test_a_server_that_nobody_vouches_for_is_refused(certificate):
    async with TLSServer(certificate) as server:
        transport = HTTPTransport(resolver=LoopbackResolver())

        with pytest.raises(SourceUnreachableError) as caught:
            await transport.send(request(f"https://users.test:{server.port}/"))

        assert "certificate verify failed" in caught.value.detail
        await transport.aclose()


async def test_a_server_with_another_name_is_refused(certificate):
    settings = TransportSettings(tls=TLSSettings(ca_file=certificate.file))
    async with TLSServer(certificate) as server:
        transport = HTTPTransport(settings, resolver=LoopbackResolver())

        with pytest.raises(SourceUnreachableError):
            await transport.send(request(f"https://other.test:{server.port}/"))
        await transport.aclose()


async def test_the_name_on_the_certificate_may_be_configured(certificate):
    tls = TLSSettings(ca_file=certificate.file, server_name="users.test")
    async with TLSServer(certificate) as server:
        transport = HTTPTransport(TransportSettings(tls=tls))

        response = await transport.send(request(f"https://127.0.0.1:{server.port}/"))

        assert response.body == b"ok"
        await transport.aclose()

import asyncio
import socket

from patterns_os.service.server import bind


def test_small_answers_do_not_wait_for_the_ones_before():
    """What asyncio makes of a connection depends on how the listening socket was made."""

    async def delayed(taken):
        told = asyncio.get_running_loop().create_future()

        async def met(_, writer):
            connection = writer.get_extra_info("socket")
            told.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0)
            writer.close()

        server = await asyncio.start_server(met, sock=taken)
        _, writer = await asyncio.open_connection(*taken.getsockname())
        try:
            return await told
        finally:
            writer.close()
            server.close()

    assert asyncio.run(delayed(bind("127.0.0.1", 0))) is False

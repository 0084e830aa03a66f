#include "engine/run/meeting_port.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

using namespace stillroom;

namespace {

/// What comes of listening on a port of the whole host: 0, or why not.
int listen_on(Descriptor& socket, int port, bool reuse) {
    socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(socket.is_open());
    int value = reuse;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &value, sizeof value);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(static_cast<std::uint16_t>(port));
    bool listens = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&place), sizeof place) == 0 &&
                   ::listen(socket.get(), 5) == 0;
    return listens ? 0 : errno;
}

}  // namespace

TEST_CASE("a meeting port is given to nobody, and rank 0 listens on it all the same") {
    MeetingPort port, other;
    CHECK(port.number() > 0);
    CHECK(port.number() != other.number());
    Descriptor stranger, rank_0, late;
    CHECK(listen_on(stranger, port.number(), false) == EADDRINUSE);
    CHECK(listen_on(rank_0, port.number(), true) == 0);
    CHECK(listen_on(late, port.number(), true) == EADDRINUSE);
    rank_0.close();
    CHECK(listen_on(late, port.number(), true) == 0);  // a second try of the stage
}

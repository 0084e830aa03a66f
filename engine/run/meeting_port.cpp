#include "engine/run/meeting_port.h"

#include "engine/base/error.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace stillroom {

MeetingPort::MeetingPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    int yes = 1;
    // Bound and never listening: whoever else says SO_REUSEADDR may listen beside it.
    if (!socket_.is_open() ||
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        ::bind(socket_.get(), generic, size) != 0 ||
        ::getsockname(socket_.get(), generic, &size) != 0)
        throw Error({}, fmt::format("no port for the ranks to meet: {}", std::strerror(errno)))
            .exit_code(kExitRanks);
    number_ = ntohs(address.sin_port);
}

}  // namespace stillroom

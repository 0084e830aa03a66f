#include "engine/run/packet.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace stillroom {
namespace {

/// A message with room for one descriptor beside its bytes.
struct Message {
    Message(char* bytes, std::size_t size) : part{bytes, size} {
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = space;
        header.msg_controllen = sizeof space;
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    iovec part;
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    msghdr header{};
};

}  // namespace

bool send_packet(int socket, const std::string& text, int output) {
    Message message(const_cast<char*>(text.data()), text.size());
    cmsghdr* control = CMSG_FIRSTHDR(&message.header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(control), &output, sizeof output);
    ssize_t sent = 0;
    do
        sent = ::sendmsg(socket, &message.header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == static_cast<ssize_t>(text.size());
}

std::optional<Packet> receive_packet(int socket, bool (*stop)()) {
    // Filled only as far as needed: what a fork server writes to, each worker must copy.
    static const auto buffer = std::make_unique_for_overwrite<char[]>(kLongestPacket);
    Message message(buffer.get(), kLongestPacket);
    ssize_t count = 0;
    do
        count = ::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR && !(stop && stop()));
    cmsghdr* control = count > 0 ? CMSG_FIRSTHDR(&message.header) : nullptr;
    if (!control || control->cmsg_type != SCM_RIGHTS)
        return std::nullopt;
    Packet packet{{buffer.get(), static_cast<std::size_t>(count)}, -1};
    std::memcpy(&packet.output, CMSG_DATA(control), sizeof packet.output);
    return packet;
}

}  // namespace stillroom

#pragma once

#include <optional>
#include <string>

namespace stillroom {

/// One datagram to a process that does our work: a text, and the descriptor of what it prints to.
struct Packet {
    std::string text;
    int output = -1;  ///< the receiver's to close
};

inline constexpr std::size_t kLongestPacket = std::size_t{64} << 10;

/// False where nobody is left to receive it.
bool send_packet(int socket, const std::string& text, int output);

/// Nothing at the end of the stream, and once a signal has come that sets `stop`.
std::optional<Packet> receive_packet(int socket, bool (*stop)() = nullptr);

}  // namespace stillroom

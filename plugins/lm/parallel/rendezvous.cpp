#include "plugins/lm/parallel/rendezvous.h"

#include "engine/base/descriptor.h"
#include "engine/base/error.h"

#include <arpa/inet.h>
#include <c10/util/Logging.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <charconv>
#include <memory>

namespace stillroom::lm {
namespace {

struct Place {
    std::string host;
    std::uint16_t port = 0;
};

Error unreachable(const std::string& store, const std::string& why) {
    return Error({}, fmt::format("the ranks cannot meet at '{}': {}", store, why))
        .exit_code(kExitRanks);
}

Place place_of(const std::string& store) {
    std::size_t colon = store.rfind(':');
    Place place{.host = store.substr(0, colon)};
    const char* end = store.data() + store.size();
    if (colon == std::string::npos || place.host.empty() ||
        std::from_chars(store.data() + colon + 1, end, place.port).ptr != end || place.port == 0)
        throw unreachable(store, "HOST:PORT is expected");
    return place;
}

/// The address that packets to the place leave from: what others of that network reach us by. No
/// packet is sent.
std::string address_towards(const Place& place) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(place.host.c_str(), std::to_string(place.port).c_str(), &hints, &found) != 0)
        return place.host;
    std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
    for (addrinfo* at = found; at != nullptr; at = at->ai_next) {
        Descriptor socket(::socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_storage self{};
        socklen_t size = sizeof self;
        char text[NI_MAXHOST];
        if (socket.is_open() && connect(socket.get(), at->ai_addr, at->ai_addrlen) == 0 &&
            getsockname(socket.get(), reinterpret_cast<sockaddr*>(&self), &size) == 0 &&
            getnameinfo(reinterpret_cast<sockaddr*>(&self),
                        size,
                        text,
                        sizeof text,
                        nullptr,
                        0,
                        NI_NUMERICHOST) == 0)
            return text;
    }
    return place.host;
}

c10::intrusive_ptr<c10d::Store> connect_to(const Rank& rank,
                                           const Place& place,
                                           bool keeps,
                                           std::chrono::milliseconds deadline) {
    c10d::TCPStoreOptions options;
    options.port = place.port;
    options.isServer = keeps;
    options.waitWorkers = false;
    options.timeout = deadline;
    try {
        // Under a prefix: another program's keys may lie there, torchrun's for one.
        return c10::make_intrusive<c10d::PrefixStore>(
            "stillroom", c10::make_intrusive<c10d::TCPStore>(place.host, options));
    } catch (const std::exception& problem) {
        std::string why = problem.what();
        throw unreachable(rank.store, why.substr(0, why.find('\n')));
    }
}

}  // namespace

Rendezvous Rendezvous::open(const Rank& rank, std::chrono::milliseconds deadline) {
    FLAGS_caffe2_log_level = 3;  // what it would print with stack traces is in our own errors
    Place place = place_of(rank.store);
    return {.store = connect_to(rank, place, rank.rank == 0, deadline),
            .address = address_towards(place)};
}

Board board_at(const Rank& rank, std::chrono::milliseconds deadline) {
    c10::intrusive_ptr<c10d::Store> store =
        connect_to(rank, place_of(rank.store), /*keeps=*/false, deadline);
    return {.put =
                [store](const std::string& key, const std::string& text) {
                    store->set(key, std::vector<std::uint8_t>(text.begin(), text.end()));
                },
            .get =
                [store](const std::string& key) {
                    if (!store->check({key}))
                        return std::string();
                    std::vector<std::uint8_t> bytes = store->get(key);
                    return std::string(bytes.begin(), bytes.end());
                }};
}

}  // namespace stillroom::lm

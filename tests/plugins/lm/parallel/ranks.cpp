#include "tests/plugins/lm/parallel/ranks.h"

#include "engine/base/descriptor.h"
#include "engine/base/error.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <thread>

namespace stillroom::lm {
std::string free_place() {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    REQUIRE(bind(socket.get(), reinterpret_cast<sockaddr*>(&place), size) == 0);
    REQUIRE(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&place), &size) == 0);
    return "127.0.0.1:" + std::to_string(ntohs(place.sin_port));
}

std::vector<std::string> on_ranks(int world,
                                  std::chrono::milliseconds deadline,
                                  const std::function<void(Comm)>& act,
                                  const std::function<at::Device(int rank)>& device_of) {
    std::string place = free_place();
    std::vector<std::string> thrown(static_cast<std::size_t>(world));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < world; rank++)
        threads.emplace_back([&, rank] {
            try {
                act(Comm::connect({.rank = rank, .world = world, .local = rank, .store = place},
                                  deadline,
                                  device_of ? device_of(rank) : at::Device(at::kCPU)));
            } catch (const Error& problem) {
                thrown[static_cast<std::size_t>(rank)] =
                    std::to_string(problem.exit_code()) + " " + problem.what();
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    return thrown;
}

}  // namespace stillroom::lm

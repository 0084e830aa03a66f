#include "tests/plugins/lm/parallel/ranks.h"

#include "engine/base/error.h"

#include <thread>

namespace stillroom::lm {
std::string place_of(const MeetingPort& port) {
    return "127.0.0.1:" + std::to_string(port.number());
}

std::vector<std::string> on_ranks(int world,
                                  std::chrono::milliseconds deadline,
                                  const std::function<void(Comm)>& act,
                                  const std::function<at::Device(int rank)>& device_of,
                                  bool shares_memory) {
    MeetingPort port;
    std::string place = place_of(port);
    std::vector<std::string> thrown(static_cast<std::size_t>(world));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < world; rank++)
        threads.emplace_back([&, rank] {
            try {
                act(Comm::connect({.rank = rank, .world = world, .local = rank, .store = place},
                                  deadline,
                                  device_of ? device_of(rank) : at::Device(at::kCPU),
                                  shares_memory));
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

#include "engine/base/error.h"
#include "engine/run/nodelist.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

// What a cluster says of its hosts: either refused with a reason, or names that a host can have and
// no more of them than any cluster has.

using namespace stillroom;

namespace {

void expect(bool promise) {
    if (!promise)
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        std::vector<std::string> hosts = read_node_list(text, "SLURM_JOB_NODELIST");
        expect(!hosts.empty() && hosts.size() <= kMostHosts);
        for (const std::string& host : hosts) {
            expect(!host.empty() && host.size() <= 253);
            expect(host.find_first_of("[],/ \n$") == std::string::npos);
        }
        if (hosts.size() < 100)  // a name is a list of one
            for (const std::string& host : hosts)
                expect(read_node_list(host, "V") == std::vector<std::string>{host});
    } catch (const Error& error) {
        expect(error.exit_code() == kExitUsage && *error.what() != '\0');
    }
    try {
        std::vector<int> counts = read_task_counts(text, "SLURM_TASKS_PER_NODE");
        expect(!counts.empty() && counts.size() <= kMostHosts);
        for (int count : counts)
            expect(count >= 0);
    } catch (const Error& error) {
        expect(error.exit_code() == kExitUsage);
    }
    return 0;
}

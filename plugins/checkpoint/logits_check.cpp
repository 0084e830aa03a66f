#include "plugins/checkpoint/logits_check.h"

#include "engine/base/error.h"
#include "engine/base/host.h"
#include "engine/base/units.h"
#include "plugins/lm/weights/random.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kIds = 32;

auto* comparison() {
    return STILLROOM_SECOND_HALF("checkpoint_compute", stillroom_checkpoint_compare_logits);
}

}  // namespace

std::vector<std::int64_t> check_ids(std::int64_t vocab) {
    std::vector<std::int64_t> ids;
    for (std::uint32_t i = 0; i < kIds / 4; ++i)
        for (std::uint32_t word : lm::philox({i, 0, 0, 0}, {0x57495448, 0x4c4f4749}))
            ids.push_back(static_cast<std::int64_t>(word) % vocab);
    return ids;
}

std::string why_no_logits(std::uint64_t needed) {
    try {
        comparison();
    } catch (const Error& error) {
        return error.what();
    }
    std::uint64_t available = available_memory();
    if (available > 0 && needed > available / 2)
        return fmt::format(
            "that takes {} of memory, {} are free", size_text(needed), size_text(available));
    return {};
}

LogitsDifference compare_logits(const fs::path& folder,
                                const fs::path& other,
                                const std::vector<std::int64_t>& ids,
                                int threads) try {
    LogitsDifference out;
    comparison()(folder, other, ids, threads, out);
    return out;
} catch (Error& error) {
    if (error.exit_code() == kExitResource)
        error.key("check").hint("check=tensors compares every tensor and needs no LibTorch");
    throw;
}

}  // namespace stillroom::checkpoint

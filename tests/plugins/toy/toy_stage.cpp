#include "tests/plugins/toy/toy_stage.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace stillroom::toy {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongest = std::size_t{64} << 20;

}  // namespace

std::string read_text(const fs::path& folder) {
    return read_file(folder / "text.txt", kLongest);
}

void write_text(const fs::path& folder, std::string_view text) {
    write_record_file(folder / "text.txt", text);  // not synced: who publishes an output syncs it
    write_size(folder, static_cast<std::int64_t>(text.size()));
}

std::optional<std::int64_t> read_size(const fs::path& folder) {
    std::error_code ignored;
    if (!fs::exists(folder / "report.json", ignored))
        return std::nullopt;
    return Json::parse(read_file(folder / "report.json", 4096)).at("bytes").integer();
}

void write_size(const fs::path& folder, std::int64_t bytes) {
    write_record_file(folder / "report.json", "{\"bytes\":" + std::to_string(bytes) + "}\n");
}

bool wait(const RunContext& context, double seconds) {
    using Clock = std::chrono::steady_clock;
    auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (!context.cancelled()) {
        auto left = end - Clock::now();
        if (left <= Clock::duration::zero())
            return true;
        std::this_thread::sleep_for(
            std::min<std::chrono::duration<double>>(left, std::chrono::milliseconds(20)));
    }
    return false;
}

}  // namespace stillroom::toy

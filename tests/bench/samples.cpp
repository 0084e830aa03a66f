// How long training waits for its data: indices over 1e9 tokens, one epoch and several, and batches
// of a mapped dataset. Prints CPU seconds and a rate beside each budget; a missed one is exit 1.

#include "engine/base/scratch_folder.h"
#include "plugins/lm/data/batch_reader.h"
#include "plugins/lm/data/indexed_writer.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <filesystem>
#include <numeric>

namespace {

using namespace stillroom::lm;
namespace fs = std::filesystem;

bool missed = false;

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void tell(const std::string& what, double value, const char* unit, double budget, bool at_most) {
    bool kept = at_most ? value <= budget : value >= budget;
    missed |= !kept;
    fmt::print("| {:<44} | {:>12.2f} {} | {} {} |{}\n",
               what,
               value,
               unit,
               at_most ? "at most" : "at least",
               budget,
               kept ? "" : " MISSED");
}

/// Documents of 1 to 2 * mean - 1 tokens.
std::vector<std::int64_t> ends_of(std::int64_t tokens, std::int64_t mean) {
    std::vector<std::int64_t> ends;
    std::uint64_t state = 1;
    for (std::int64_t sum = 0; sum < tokens;) {
        state = state * 6364136223846793005 + 1442695040888963407;
        sum +=
            1 + static_cast<std::int64_t>((state >> 33) % static_cast<std::uint64_t>(2 * mean - 1));
        ends.push_back(sum);
    }
    return ends;
}

void time_indices(std::int64_t mean, std::int64_t sequence, std::int64_t epochs) {
    constexpr std::int64_t kTokens = 1'000'000'000;
    std::vector<std::int64_t> ends = ends_of(kTokens / epochs, mean);
    std::int64_t samples = (kTokens - kTokens / epochs / 2) / sequence;
    double before = cpu_seconds();
    GptIndices indices = build_gpt_indices(
        ends, {0, static_cast<std::int64_t>(ends.size())}, sequence, samples, 1234);
    double took = cpu_seconds() - before;
    tell(fmt::format(
             "1e9 tokens, {} a document, rows of {}, {} epochs", mean, sequence, indices.epochs),
         took,
         "s",
         3,
         true);
}

void time_batches() {
    stillroom::ScratchFolder scratch(fs::temp_directory_path() / "stillroom-bench-");
    const fs::path& folder = scratch.path();
    std::vector<std::uint32_t> ids(700);
    std::iota(ids.begin(), ids.end(), 0U);
    IndexedWriter writer(folder / "d", TokenType::u16);
    for (int i = 0; i < 30000; ++i)
        writer.add_document(ids);
    writer.close();
    auto data = std::make_shared<DatasetFolder>();
    data->parts.push_back(IndexedDataset::open(folder / "d"));
    data->info.parts.push_back({folder / "d", "", {}, {}, {}});
    SampleRequest request;
    request.sequence = 4096;
    request.samples = 5000;
    Samples samples(data, request);
    BatchRequest batch;
    batch.micro_batch = 4;
    batch.vocabulary = 1000;
    double before = cpu_seconds();
    BatchReader reader(samples, batch);
    std::int64_t tokens = 0;
    for (int i = 0; i < 1000; ++i)
        tokens += static_cast<std::int64_t>(reader.next().inputs.size());
    tell("tokens a CPU second, batches of 4 x 4096",
         static_cast<double>(tokens) / (cpu_seconds() - before) / 1e6,
         "M/s",
         0.1,
         false);
}

}  // namespace

int main() {
    time_indices(700, 4096, 1);
    time_indices(700, 1024, 3);
    time_indices(70, 1024, 1);
    time_batches();
    return missed;
}

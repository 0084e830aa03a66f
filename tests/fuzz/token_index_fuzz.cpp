// Any bytes are the .idx of a dataset whose .bin has 64 bytes. What is opened can be read to the
// end and made into samples; what is not is the input's fault.

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/scratch_folder.h"
#include "plugins/lm/data/gpt_indices.h"
#include "plugins/lm/data/indexed_dataset.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

namespace fs = std::filesystem;

namespace {

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void read_whole(const fs::path& prefix) {
    using namespace stillroom::lm;
    IndexSummary summary = summarize_index(prefix);
    IndexedDataset data = IndexedDataset::open(prefix);
    require(summary.tokens == data.tokens() && summary.documents == data.documents() &&
                summary.sequences == data.sequences(),
            "the summary is of the same file");
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < data.sequences(); ++i) {
        require(data.length(i) >= 0 && data.first_token(i) == sum, "sequences follow each other");
        sum += data.length(i);
    }
    require(sum == data.tokens(), "sequences are all tokens");
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(data.tokens()));
    data.read(0, tokens, std::numeric_limits<std::int32_t>::max());
    if (data.tokens() > 0) {
        GptIndices indices = build_gpt_indices(data.ends(), {0, data.sequences()}, 3, 10, 1234);
        require(indices.size() >= 10, "as many samples as are asked for");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const stillroom::ScratchFolder kScratch(fs::temp_directory_path() / "stillroom-fuzz-");
    const fs::path& folder = kScratch.path();
    std::ofstream(folder / "d.bin", std::ios::binary) << std::string(64, '\1');
    std::ofstream(folder / "d.idx", std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    try {
        read_whole(folder / "d");
    } catch (const stillroom::Error& error) {
        require(error.exit_code() == stillroom::kExitBadInput, "it is the input that is bad");
    }
    return 0;
}

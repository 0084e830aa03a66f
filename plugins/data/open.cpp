#include "plugins/data/open.h"

#include "plugins/data/blending.h"
#include "plugins/data/found_files.h"

#include <fmt/format.h>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

std::vector<fs::path> paths_of(const OpenSettings& settings) {
    if (const auto* one = std::get_if<fs::path>(&settings.files))
        return {*one};
    return std::get<std::vector<fs::path>>(settings.files);
}

fs::path with_ending(fs::path path, const char* ending) {
    path += ending;
    return path;
}

}  // namespace

/// Only the first bytes of each index.
void Open::describe(DescribeContext& context) const try {
    FoundFiles found = find_files(paths_of(settings_));
    for (lm::DatasetPart& part : found.info.parts) {
        lm::IndexSummary index = lm::summarize_index(part.prefix);
        part.documents = lm::Count::exactly(index.documents);
        part.tokens = lm::Count::exactly(index.tokens);
    }
    name_parts(found.info);
    lm::write_dataset_info(context.output("data"), found.info);
    Cost cost;
    cost.disk_bytes = 0;
    context.cost(cost);
} catch (Error& error) {
    if (error.setting().empty())
        error.key(Settings::Key().files);
    throw;
}

void Open::run(RunContext& context) try {
    FoundFiles found = find_files(paths_of(settings_));
    for (const fs::path& file : found.read)
        context.reads(file);
    for (std::size_t i = 0; i < found.info.parts.size(); ++i) {
        lm::DatasetPart& part = found.info.parts[i];
        context.progress(static_cast<double>(i) / static_cast<double>(found.info.parts.size()),
                         fmt::format("checking {}", part.prefix.filename().string()));
        if (context.cancelled())
            return;
        lm::IndexedDataset data = lm::IndexedDataset::open(part.prefix);
        part.documents = lm::Count::exactly(data.documents());
        part.tokens = lm::Count::exactly(data.tokens());
        for (const char* ending : {".idx", ".bin"})
            context.reads(with_ending(part.prefix, ending));
    }
    link_parts(found.info, context.output("data"));
    lm::write_dataset_info(context.output("data"), found.info);
} catch (Error& error) {
    if (error.setting().empty())
        error.key(Settings::Key().files);
    throw;
}

}  // namespace stillroom::data

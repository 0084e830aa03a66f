#include "plugins/checkpoint/small_files.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "plugins/lm/config/hooks.h"
#include "plugins/lm/weights/file_sink.h"
#include "plugins/lm/weights/mapped_file.h"

#include <fmt/format.h>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

/// Copied by the file system where it can be, under a passing name.
void copy_small_file(const fs::path& from, const fs::path& to) {
    lm::MappedFile source = lm::MappedFile::open(from);
    fs::path passing = to;
    passing += ".tmp";
    remove_tree(passing);
    auto sink = lm::plain_sink(passing, to);
    sink->copy(source, 0, source.size());
    sink->close();
    rename_path(passing, to);
}

/// True if the file had hooks, and was written without them.
bool write_without_hooks(const fs::path& from,
                         const std::string& name,
                         const fs::path& to,
                         std::vector<std::string>& dropped) {
    if (!lm::may_hold_hooks(name))
        return false;
    lm::ConfigText json =
        lm::ConfigText::parse(read_file(from, lm::ConfigText::kLimit), from.string());
    std::vector<std::string> hooks = lm::hooks_in(json);
    if (hooks.empty())
        return false;
    lm::drop_hooks(json);
    write_file(to, json.text());
    for (const std::string& hook : hooks)
        dropped.push_back(fmt::format("{}: {}", name, hook));
    return true;
}

}  // namespace

CopiedFiles copy_small_files(const fs::path& from,
                             const FolderFiles& files,
                             const fs::path& to,
                             const std::set<std::string>& left_out) {
    CopiedFiles out;
    for (const std::string& name : files.small) {
        if (left_out.contains(name))
            continue;
        make_folders((to / name).parent_path());
        if (!write_without_hooks(from / name, name, to / name, out.hooks))
            copy_small_file(from / name, to / name);
        out.names.push_back(name);
    }
    return out;
}

void remove_small_files(const fs::path& folder, const std::set<std::string>& kept) {
    for (const std::string& name : list_files(folder).small)
        if (!kept.contains(name))
            remove_tree(folder / name);
}

}  // namespace stillroom::checkpoint

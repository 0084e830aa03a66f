#include "plugins/lm/weights/small_files.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "plugins/lm/config/hooks.h"
#include "plugins/lm/hub/model_files.h"
#include "plugins/lm/weights/file_sink.h"
#include "plugins/lm/weights/mapped_file.h"
#include "plugins/lm/weights/tensor_folder.h"

#include <fmt/format.h>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

/// Copied by the file system where it can be, under a passing name.
void copy_small_file(const fs::path& from, const fs::path& to) {
    MappedFile source = MappedFile::open(from);
    fs::path passing = to;
    passing += ".tmp";
    remove_tree(passing);
    auto sink = plain_sink(passing, to);
    sink->copy(source, 0, source.size());
    sink->close();
    rename_path(passing, to);
}

/// True if the file had hooks, and was written without them.
bool write_without_hooks(const fs::path& from,
                         const std::string& name,
                         const fs::path& to,
                         std::vector<std::string>& dropped) {
    if (!may_hold_hooks(name))
        return false;
    ConfigText json = ConfigText::parse(read_file(from, ConfigText::kLimit), from.string());
    std::vector<std::string> hooks = hooks_in(json);
    if (hooks.empty())
        return false;
    drop_hooks(json);
    write_file(to, json.text());
    for (const std::string& hook : hooks)
        dropped.push_back(fmt::format("{}: {}", name, hook));
    return true;
}

}  // namespace

std::vector<std::string> kept_small_files(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const std::string& name : list_folder(folder))
        if (fs::is_regular_file(folder / name, ignored) && is_small_model_file(name) &&
            name != "config.json" && name != "README.md" && name != kModelIndex)
            names.push_back(name);
    return names;
}

CopiedFiles copy_small_files(const fs::path& from,
                             const std::vector<std::string>& names,
                             const fs::path& to) {
    CopiedFiles out;
    for (const std::string& name : names) {
        make_folders((to / name).parent_path());
        if (!write_without_hooks(from / name, name, to / name, out.hooks))
            copy_small_file(from / name, to / name);
        out.names.push_back(name);
    }
    return out;
}

}  // namespace stillroom::lm

#include "engine/recipe/file_cache.h"

#include "engine/base/codes.h"

#include <fmt/format.h>

namespace stillroom {
namespace fs = std::filesystem;

const Document* FileCache::read(const fs::path& path, Span wanted_at) {
    auto known = documents_.find(path);
    if (known != documents_.end())
        return known->second->root ? known->second.get() : nullptr;
    auto document = std::make_unique<Document>();
    if (documents_.size() >= limits_.files) {
        if (documents_.size() == limits_.files)  // once
            diagnostics_
                .error(code::kTooManyFiles,
                       wanted_at,
                       fmt::format("this recipe is made of more than {} files", limits_.files))
                .with_hint("raise `--limit files=N`");
    } else {
        *document = read_document(sources_, path, limits_, diagnostics_, wanted_at);
        if (document->source)
            bytes_ += document->source->text().size();
        if (bytes_ > limits_.total_bytes) {
            diagnostics_.error(code::kTooManyFiles,
                               wanted_at,
                               fmt::format("the files of this recipe pass {} bytes together",
                                           limits_.total_bytes));
            document->root = nullptr;
        }
        if (document->root && !document->root->is_map()) {
            diagnostics_
                .error(code::kRootKind,
                       document->root->where,
                       fmt::format("the root of a recipe file is a map, here is {}",
                                   kind_name(document->root->kind)))
                .with_hint("write 'key: value' lines");
            document->root = nullptr;
        }
    }
    const Document* result = document->root ? document.get() : nullptr;
    documents_.emplace(path, std::move(document));
    return result;
}

void FileCache::add(const fs::path& path, const std::string& text) {
    auto document = std::make_unique<Document>();
    *document = read_yaml(sources_.add(path.string(), text), limits_, diagnostics_);
    documents_.insert_or_assign(path, std::move(document));
}

}  // namespace stillroom

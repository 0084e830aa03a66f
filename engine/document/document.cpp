#include "engine/document/document.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/text.h"

#include <fmt/format.h>

namespace stillroom {

Document read_document(Sources& sources,
                       const std::filesystem::path& path,
                       const Limits& limits,
                       Diagnostics& diagnostics,
                       Span wanted_at) {
    std::string text;
    try {
        text = read_file(path, limits.file_bytes);
    } catch (const Error& error) {
        std::error_code ignored;
        auto size = std::filesystem::file_size(path, ignored);
        bool too_large = !ignored && size > limits.file_bytes;
        std::string hint = error.hint_text();
        if (hint.empty() && !std::filesystem::exists(path, ignored))
            hint = did_you_mean(path.filename().string(), list_folder(path.parent_path()));
        diagnostics.error(too_large ? code::kTooLarge : code::kCannotRead, wanted_at, error.what())
            .with_hint(hint)
            .exits(error.exit_code());
        return {};
    }
    const Source& source = sources.add(path.string(), std::move(text));
    return path.extension() == ".json" ? read_json(source, limits, diagnostics)
                                       : read_yaml(source, limits, diagnostics);
}

void refuse_leading_zeros(const Node& node, Diagnostics& diagnostics) {
    if (node.leading_zero)
        diagnostics
            .error(code::kAmbiguousZero,
                   node.where,
                   fmt::format("'{}' has an ambiguous leading zero", shorten(node.text, 40)))
            .with_hint("write it without the zero, as 0o17 if it is octal, or quote it");
    for (const NodePtr& item : node.items)
        refuse_leading_zeros(*item, diagnostics);
    for (const Entry& entry : node.entries)
        refuse_leading_zeros(*entry.value, diagnostics);
}

}  // namespace stillroom

#pragma once

#include "engine/base/diagnostic.h"
#include "engine/base/source.h"
#include "engine/document/node.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// Budgets of what is read. Only the command line raises them.
struct Limits {
    std::size_t file_bytes = 1 << 20;
    std::size_t files = 256;
    std::size_t total_bytes = 4 << 20;
    std::size_t depth = 64;
    std::size_t nodes = 20'000;  ///< of a file, after aliases and `<<` are expanded, keys counted
};

struct Comment {
    Span where;          ///< from '#' to the end of the line
    bool alone = false;  ///< nothing but blanks before it on its line
};

/// One file, read. `root` is null when it was refused, and the diagnostics say why.
struct Document {
    const Source* source = nullptr;
    NodePtr root;
    std::vector<Comment> comments;
    std::optional<std::string> package;  ///< of a `# @package NAME` line in the comments at the top
    Span package_where;
};

/// YAML 1.2, one document, as spec'd for recipes. Any kind of root. Time and memory are bounded by
/// the limits. A value's place covers all of it, without its anchor or tag; of an empty value it is
/// the empty span behind the key's colon or the dash. An alias is the very node it names, with the
/// place of that node; so are the entries that `<<` brings in.
STILLROOM_API Document read_yaml(const Source& source,
                                 const Limits& limits,
                                 Diagnostics& diagnostics);

/// JSON (RFC 8259), the same tree: every string is double quoted. Equal keys are refused.
STILLROOM_API Document read_json(const Source& source,
                                 const Limits& limits,
                                 Diagnostics& diagnostics);

/// An error for each plain integer with a leading zero: readers disagree on what 017 is. Whoever
/// checks a schema reports only those that no schema takes as text.
STILLROOM_API void refuse_leading_zeros(const Node& node, Diagnostics& diagnostics);

/// Reads the file into `sources` and parses it: JSON if its name ends in .json, else YAML. What
/// cannot be read becomes a diagnostic at `wanted_at`, the place that named the file.
STILLROOM_API Document read_document(Sources& sources,
                                     const std::filesystem::path& path,
                                     const Limits& limits,
                                     Diagnostics& diagnostics,
                                     Span wanted_at = {});

}  // namespace stillroom

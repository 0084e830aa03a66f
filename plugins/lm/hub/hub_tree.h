#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// A file of a repository, as its hub lists it.
struct HubFile {
    std::string path;
    std::uint64_t size = 0;
    std::string blob_id;   ///< git's SHA-1
    std::string sha256;    ///< of large files; empty for those that git itself holds
    std::string xet_hash;  ///< kept for other tools; may be empty

    const std::string& etag() const { return sha256.empty() ? blob_id : sha256; }
};

/// All files of a commit, by path.
using HubTree = std::vector<HubFile>;

/// The form in which Hugging Face's tools keep it. A text of another form throws Error (exit 3).
STILLROOM_API HubTree parse_kept_tree(std::string_view json);
STILLROOM_API std::string kept_tree_text(const HubTree& tree);

/// One page of a hub's own listing is added. Throws Error (exit 5) for what no hub says.
STILLROOM_API void add_listed_files(std::string_view json, HubTree& tree);

/// What of a repository is needed: for `describe` only the small files.
enum class HubPart { small_files, all };

/// The files of a model folder, small ones first: configuration, tokenizer, licence, card and
/// safetensors at the top; never code, never a pickle. Throws Error (exit 10) where the only
/// weights are pickles, exit 3 where there are none.
STILLROOM_API HubTree select_model_files(const HubTree& tree, HubPart part, std::string_view told);

/// The same for another choice of files; nothing that is code or pickled, whatever it says.
STILLROOM_API HubTree select_files(const HubTree& tree,
                                   const std::function<bool(const HubFile&)>& wanted);

}  // namespace stillroom::lm

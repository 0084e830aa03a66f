#pragma once

#include "engine/base/api.h"

#include <string>
#include <string_view>

namespace stillroom::lm {

enum class RepoKind { model, dataset };

/// A repository of a model hub at one revision, as `hf:ORG/NAME@REVISION` or
/// `hf:datasets/ORG/NAME@REVISION` name it.
struct HubSource {
    RepoKind kind = RepoKind::model;
    std::string repo;  ///< "ORG/NAME", or "NAME" alone
    std::string revision = "main";

    STILLROOM_API bool pinned() const;       ///< the revision is a commit: its files never change
    STILLROOM_API std::string told() const;  ///< "model 'ORG/NAME'"
};

/// Throws Error (exit 2) saying what is wrong with the text.
STILLROOM_API HubSource parse_hub_source(std::string_view text);

/// 40 lower-case hex digits.
STILLROOM_API bool is_commit(std::string_view text);

/// Why nothing with this relative path may be made in a snapshot, or an empty text. Paths come from
/// a server.
STILLROOM_API std::string hub_path_fault(std::string_view path);

}  // namespace stillroom::lm

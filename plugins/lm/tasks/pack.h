#pragma once

#include "engine/base/api.h"
#include "plugins/lm/tasks/asked.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace stillroom::lm {

/// One answer, where it stands in a pack.
struct PackedChoice {
    std::vector<std::int64_t> rows;  ///< tokens of the pack that foresee the targets
    std::vector<std::int32_t> targets;
};

struct PackedQuestion {
    std::size_t question = 0;  ///< its place among all that were packed
    bool one_place = false;    ///< as Asked's
    std::vector<PackedChoice> choices;
};

/// Tokens of one pass over a decoder, without padding. They lie in segments, each of which goes on
/// from none or from an earlier one: what a group's questions begin with, then each question's own,
/// then what differs between its answers. So nothing that is shared is computed twice, and a pack
/// is a value: the same for any decoder, or for several.
struct Pack {
    std::vector<std::int64_t> ids;      ///< of all segments, one behind another
    std::vector<std::int64_t> lengths;  ///< of each segment
    std::vector<std::int64_t> after;    ///< the segment that each goes on from; -1: none
    std::vector<PackedQuestion> questions;

    /// The first segment has no tokens here: it is the one that the pack before kept.
    bool goes_on = false;
    /// The segment whose keys and values the next pack goes on from.
    std::optional<std::size_t> keeps;
};

struct Packing {
    std::size_t tokens = 4096;  ///< of a pack; a question alone may have more
    std::size_t questions = 0;  ///< of a pack; 0: as many as the tokens let in
    /// Beginnings are computed once. Without: each path by itself, the plain way.
    bool share = true;
    /// A group that does not fit into one pack keeps its beginning from pack to pack. Without, each
    /// pack computes it again and stands for itself.
    bool keep = true;
};

/// Questions in their order; those of a group stand together.
STILLROOM_API std::vector<Pack> pack_questions(std::span<const Asked> asked,
                                               const Packing& packing);

}  // namespace stillroom::lm

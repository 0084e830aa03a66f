#pragma once

#include "engine/base/diagnostic.h"
#include "engine/plan/plan.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// What there is to work with.
struct Room {
    std::uint64_t memory_bytes = 0;                ///< 0: not known
    std::optional<std::uint64_t> disk_free_bytes;  ///< where the store lies
};

/// The free space where the folder is, or would be made.
STILLROOM_API std::optional<std::uint64_t> free_bytes(const std::filesystem::path& folder);

/// A stage to be counted, of one of the jobs of a sweep.
struct Counted {
    const CheckedStage* stage = nullptr;
    const PlannedStage* planned = nullptr;
};

/// The stages of the plans, those that several jobs share once.
STILLROOM_API std::vector<Counted> counted_stages(const std::vector<const Plan*>& plans);

struct Totals {
    std::size_t run = 0, cached = 0, blocked = 0;
    std::size_t unknown = 0;  ///< stages that will work and did not say what it costs

    std::optional<double> seconds;       ///< one after the other
    std::optional<double> memory_bytes;  ///< the largest single stage
    std::optional<double> disk_bytes;    ///< all that is added to the store
    std::optional<double> flops;
};

STILLROOM_API Totals add_up(const std::vector<Counted>& stages);

/// A diagnostic (exit 4) for each stage whose memory, and for the stage with which the disk, passes
/// what there is.
STILLROOM_API void refuse_what_will_not_fit(const std::vector<Counted>& stages,
                                            const Room& room,
                                            Diagnostics& diagnostics);

/// "90 s", "12 min", "2.5 h", "3.1 days".
STILLROOM_API std::string time_text(double seconds);

}  // namespace stillroom

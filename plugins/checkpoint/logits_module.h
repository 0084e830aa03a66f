#pragma once

#include <cstddef>
#include <cstdint>

// The one call into checkpoint_logits.so, which links torch. checkpoint.so does not: it opens the
// module beside it when logits are to be compared, and lives without it where there is none. Plain
// C, so that nothing of torch, and no exception, crosses.

extern "C" {

struct StillroomLogitsDifference {
    double max = 0, rms = 0;       ///< of the differences
    double cosine = 1;             ///< of all logits, as one vector
    std::int64_t same_best = 0;    ///< positions whose likeliest token is the same
    std::int64_t positions = 0;    ///< that were compared
    std::int64_t not_numbers = 0;  ///< logits that are NaN or infinite in either model
    int exit_code = 0;             ///< 0: done
    char message[1024] = {};       ///< why not
};

/// Both folders' logits of one text, in fp32 on the CPU, with up to `threads` threads.
using StillroomCompareLogits = void (*)(const char* folder,
                                        const char* other,
                                        const std::int64_t* ids,
                                        std::size_t count,
                                        int threads,
                                        StillroomLogitsDifference* out);
}

inline constexpr const char* kCompareLogitsSymbol = "stillroom_compare_logits";

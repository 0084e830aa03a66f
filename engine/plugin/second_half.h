#pragma once

// A plugin in two modules. Every worker opens NAME.so, also the one that only describes, so it
// links nothing that is slow to load. What needs LibTorch lies in a second module beside it, which
// is opened when something of it is first called:
//
//     // compute.h, which both halves include
//     extern "C" STILLROOM_API void stillroom_prune_depth(const DepthSettings&, RunContext&);
//
//     // depth.cpp, in prune.so; the function itself is in prune_compute.so
//     void Depth::run(RunContext& context) {
//         STILLROOM_SECOND_HALF("prune_compute", stillroom_prune_depth)(settings_, context);
//     }
//
// Both are built together, so C++ types and exceptions may cross; types of static libraries that
// both link must not.

#include "engine/base/api.h"

namespace stillroom {

/// A function of the module of that name beside the caller's, which stays open. Throws Error
/// (exit 4) where there is none or it cannot be opened.
STILLROOM_API void* function_beside(const char* module, const char* function);

}  // namespace stillroom

#define STILLROOM_SECOND_HALF(MODULE, FUNCTION) \
    reinterpret_cast<decltype(&(FUNCTION))>(::stillroom::function_beside(MODULE, #FUNCTION))

#pragma once

#include <atomic>

/// A stream of a played device: what was given to it, and how much of that is done.
struct PlayedStream {
    std::atomic<int> begun = 0, ended = 0;
};

#pragma once

#include <cstdint>
#include <vector>

namespace stillroom::prune {

/// The nearest multiple of `step` that is no tenth below `value`, at least `step`.
std::int64_t make_divisible(std::int64_t value, std::int64_t step);

/// What a size may be cut to: the multiples of `step` up to `most`, and `most` itself; ascending.
std::vector<std::int64_t> choices(std::int64_t most, std::int64_t step);

/// The list without its first floor(share · length), which are the deepest cuts. The share is of
/// the list, not of the size, and is worked out in doubles as the reference does it.
std::vector<std::int64_t> kept(const std::vector<std::int64_t>& ascending, double share);

/// The nearest choices below and above a value that is none, for messages.
std::vector<std::int64_t> around(const std::vector<std::int64_t>& ascending, std::int64_t value);

}  // namespace stillroom::prune

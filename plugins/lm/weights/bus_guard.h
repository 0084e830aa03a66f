#pragma once

#include <cstddef>

namespace stillroom::lm {

// A mapped file that another program cuts loses pages, and whoever touches one gets SIGBUS. Ranges
// named here survive it: the handler puts a page of zeros there and remembers that it did. Whatever
// is not in such a range goes on to the handler that stood before.

inline constexpr int kMostGuarded = 4096;

/// A number for release_mapping() and was_torn(); negative where there is no room for more.
int guard_mapping(const void* data, std::size_t size);
void release_mapping(int guard);  ///< negative: nothing

/// True if a page of it was missing when it was touched.
bool was_torn(int guard);

}  // namespace stillroom::lm

#pragma once

#include "plugins/lm/data/parquet_footer.h"

#include <cstddef>
#include <span>
#include <string>

namespace stillroom::lm {

/// Undoes what a page was compressed with. Exactly `size` bytes come out, or BadBytes is thrown;
/// memory grows with what really comes out, whatever `size` promises.
std::string decompress(int number, std::span<const std::byte> bytes, std::size_t size);

}  // namespace stillroom::lm

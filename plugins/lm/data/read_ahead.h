#pragma once

#include "plugins/lm/data/byte_stream.h"

namespace stillroom::lm {

/// The same bytes, read by a thread of their own that is up to 4 MiB ahead. What it throws is
/// thrown where its bytes are due.
STILLROOM_API std::unique_ptr<ByteStream> read_ahead(std::unique_ptr<ByteStream> stream);

}  // namespace stillroom::lm

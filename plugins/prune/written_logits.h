#pragma once

#include "plugins/lm/modules/batch.h"
#include "plugins/prune/prune_report.h"
#include "plugins/prune/reordered.h"

namespace stillroom::prune {

/// The logits of what was written, as any reader takes the folder, beside those of the candidate
/// that it was cut from, in fp32. Holds one layer of one of them at a time, or a block of its head.
LogitsCheck compare_logits(const std::filesystem::path& source,
                           const Orders& orders,
                           const Narrowing& candidate,
                           const lm::Cut& cut,
                           const std::filesystem::path& written,
                           const lm::Batch& batch,
                           at::Device device);

/// Bytes that this takes: a layer as it is, and once more in order.
std::uint64_t bytes_to_compare(lm::ModelConfig model);

}  // namespace stillroom::prune

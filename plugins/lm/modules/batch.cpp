#include "plugins/lm/modules/batch.h"

#include "engine/base/error.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace stillroom::lm {
namespace {

/// Ids as every batch has them: int64 on the CPU, in one row.
at::Tensor flat_ids(const at::Tensor& ids) {
    return ids.to(at::TensorOptions().device(at::kCPU).dtype(at::kLong)).reshape({-1});
}

[[noreturn]] void refuse(std::string message) {
    throw Error({}, std::move(message)).exit_code(kExitBadInput);
}

}  // namespace

std::int64_t Batch::start(std::size_t sequence) const {
    if (KvCache* own = cache(sequence))
        return own->length();
    if (after.empty() || after[sequence] < 0)
        return 0;
    auto before = static_cast<std::size_t>(after[sequence]);
    assert(before < sequence && "a text goes on from an earlier one");
    return start(before) + lengths[before];
}

bool Batch::plain_rows() const {
    return caches.empty() && after.empty() &&
           std::all_of(lengths.begin(), lengths.end(), [&](std::int64_t n) {
               return n == lengths.front();
           });
}

Batch batch_of_rows(const at::Tensor& ids_BT) {
    if (ids_BT.dim() != 2 || ids_BT.numel() == 0)
        refuse("a batch of rows is two-dimensional and has a token");
    return {.ids_T = flat_ids(ids_BT),
            .lengths = std::vector<std::int64_t>(ids_BT.size(0), ids_BT.size(1))};
}

Batch batch_of_packed(const at::Tensor& ids_T, const std::vector<std::int64_t>& starts) {
    if (ids_T.dim() != 1 || starts.size() < 2 || starts.front() != 0 ||
        starts.back() != ids_T.size(0))
        refuse(fmt::format("packed sequences start at 0 and end with the {} tokens",
                           ids_T.dim() == 1 ? ids_T.size(0) : 0));
    Batch batch{.ids_T = flat_ids(ids_T), .lengths = {}};
    for (std::size_t i = 0; i + 1 < starts.size(); i++) {
        if (starts[i + 1] <= starts[i])
            refuse(fmt::format(
                "packed sequence {} is from {} to {}: no token", i, starts[i], starts[i + 1]));
        batch.lengths.push_back(starts[i + 1] - starts[i]);
    }
    return batch;
}

Batch batch_without_padding(const at::Tensor& ids_BT, const at::Tensor& mask_BT) {
    if (ids_BT.dim() != 2 || ids_BT.sizes() != mask_BT.sizes())
        refuse("a mask says of each token of each row whether it is one");
    at::Tensor mask = mask_BT.to(at::TensorOptions().device(at::kCPU).dtype(at::kBool));
    at::Tensor counts_B = mask.sum(1);
    Batch batch{.ids_T = flat_ids(ids_BT).index({mask.reshape({-1})}), .lengths = {}};
    for (std::int64_t row = 0; row < mask.size(0); row++) {
        batch.lengths.push_back(counts_B[row].item<std::int64_t>());
        if (batch.lengths.back() == 0)
            refuse(fmt::format("row {} is nothing but padding", row));
    }
    return batch;
}

at::Tensor with_padding(const at::Tensor& x_TD, const at::Tensor& mask_BT) {
    at::Tensor x_BTD = at::zeros({mask_BT.size(0), mask_BT.size(1), x_TD.size(1)}, x_TD.options());
    x_BTD.index_put_({mask_BT.to(x_TD.device(), at::kBool)}, x_TD);
    return x_BTD;
}

}  // namespace stillroom::lm

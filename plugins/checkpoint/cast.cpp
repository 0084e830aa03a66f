#include "plugins/checkpoint/cast.h"

#include "engine/base/error.h"
#include "plugins/checkpoint/pieces.h"
#include "plugins/checkpoint/raw_bytes.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::checkpoint {

std::optional<lm::Dtype> asked_dtype(std::string_view word) {
    if (word == "bf16")
        return lm::Dtype::bf16;
    if (word == "fp16")
        return lm::Dtype::f16;
    if (word == "fp32")
        return lm::Dtype::f32;
    return std::nullopt;
}

std::string config_dtype(lm::Dtype dtype) {
    return dtype == lm::Dtype::f32 ? "float32" : dtype == lm::Dtype::f16 ? "float16" : "bfloat16";
}

void BadNumbers::add(const std::string& tensor, const lm::NumberCounts& more) {
    if (more.any() && first.empty())
        first = tensor;
    counts += more;
}

std::string judge(const BadNumbers& numbers, bool allowed, std::string_view setting) {
    if (!numbers.counts.any())
        return {};
    std::string what = fmt::format("{} NaN, {} infinite and {} too large for the type, first in {}",
                                   numbers.counts.nan,
                                   numbers.counts.infinite,
                                   numbers.counts.overflow,
                                   lm::shown(numbers.first));
    if (!allowed)
        throw Error({}, fmt::format("weights are no numbers: {}", what))
            .key(std::string(setting))
            .hint(fmt::format("{}=true writes them nonetheless", setting))
            .exit_code(kExitNumeric);
    return fmt::format("weights that are no numbers were written: {}", what);
}

bool changes(const std::vector<lm::FolderTensor>& tensors, std::optional<lm::Dtype> dtype) {
    return dtype && std::any_of(tensors.begin(), tensors.end(), [&](const auto& tensor) {
               return tensor.info->dtype != *dtype;
           });
}

lm::NumberCounts read_as(const lm::FolderTensor& tensor,
                         lm::Dtype dtype,
                         unsigned threads,
                         const lm::WriteBytes& take) {
    const std::size_t from_size = static_cast<std::size_t>(lm::bits_of(tensor.info->dtype)) / 8;
    const std::size_t to_size = static_cast<std::size_t>(lm::bits_of(dtype)) / 8;
    const std::span<const std::byte> from = raw_bytes(tensor);
    const std::size_t count = from.size() / from_size;
    std::vector<std::byte> to(std::min(count, kPieceElements * std::max(threads, 1U)) * to_size);
    std::size_t filled = 0, done = 0;
    lm::NumberCounts counts;
    auto flush = [&] {
        take(std::span(to).first(filled));
        filled = 0;
    };
    in_pieces(
        count,
        threads,
        [&](std::size_t first, std::size_t some) {
            std::size_t at = first * to_size % to.size();
            return std::pair(some,
                             lm::convert(tensor.info->dtype,
                                         from.subspan(first * from_size, some * from_size),
                                         dtype,
                                         std::span(to).subspan(at, some * to_size)));
        },
        [&](const std::pair<std::size_t, lm::NumberCounts>& piece) {
            counts += piece.second;
            filled += piece.first * to_size;
            forget(tensor, done * from_size, piece.first * from_size);
            done += piece.first;
            if (filled == to.size())
                flush();
        });
    if (filled > 0)
        flush();
    tensor.file->check();  // else what was read may be zeros
    return counts;
}

std::vector<lm::NewTensor> as_dtype(const std::vector<lm::FolderTensor>& tensors,
                                    std::optional<lm::Dtype> dtype,
                                    unsigned threads,
                                    BadNumbers& numbers) {
    std::vector<lm::NewTensor> out;
    for (const lm::FolderTensor& tensor : tensors) {
        if (!dtype || tensor.info->dtype == *dtype) {
            out.push_back(lm::unchanged(tensor));
            continue;
        }
        lm::TensorInfo info = *tensor.info;
        info.dtype = *dtype;
        auto make = [tensor, dtype, threads, &numbers](const lm::WriteBytes& write) {
            numbers.add(tensor.info->name, read_as(tensor, *dtype, threads, write));
        };
        out.push_back({std::move(info), {}, make});
    }
    return out;
}

}  // namespace stillroom::checkpoint

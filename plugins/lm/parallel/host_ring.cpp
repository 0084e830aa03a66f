#include "plugins/lm/parallel/host_ring.h"

#include <ATen/ops/add.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

/// Numbers of a slot, as a tensor like another.
at::Tensor numbers(const std::byte* slot, std::int64_t count, const at::Tensor& like) {
    return at::from_blob(const_cast<std::byte*>(slot), {count}, like.options());
}

std::int64_t slot_numbers(const at::Tensor& x) {
    return static_cast<std::int64_t>(SharedSlots::kBytes / x.element_size());
}

/// Of [0, count), piece by piece.
template <class Work>
void in_pieces(std::int64_t count, std::int64_t most, const Work& work) {
    for (std::int64_t begin = 0; begin < count; begin += most)
        work(begin, std::min(most, count - begin));
}

/// Of all ranks' numbers that begin at `offset` of what they say.
void add_up(const SharedSlots& slots, std::int64_t offset, at::Tensor into_N) {
    auto said = [&](int rank) {
        return numbers(slots.of(rank) + offset * into_N.element_size(), into_N.numel(), into_N);
    };
    at::add_out(into_N, said(0), said(1));
    for (int rank = 2; rank < slots.size(); rank++)
        into_N.add_(said(rank));
}

}  // namespace

void HostRing::sum(const at::Tensor& x) {
    at::Tensor x_N = x.view({-1});
    in_pieces(x_N.numel(), slot_numbers(x), [&](std::int64_t begin, std::int64_t count) {
        at::Tensor piece_N = x_N.narrow(0, begin, count);
        numbers(slots_->own(), count, x).copy_(piece_N);
        slots_->say();
        add_up(*slots_, 0, piece_N);
    });
}

void HostRing::gather(const at::Tensor& whole, const at::Tensor& part) {
    SharedSlots& slots = *slots_;
    at::Tensor whole_PN = whole.view({slots.size(), -1}), part_N = part.view({-1});
    in_pieces(part_N.numel(), slot_numbers(part), [&](std::int64_t begin, std::int64_t count) {
        numbers(slots.own(), count, part).copy_(part_N.narrow(0, begin, count));
        slots.say();
        for (int rank = 0; rank < slots.size(); rank++)
            whole_PN[rank].narrow(0, begin, count).copy_(numbers(slots.of(rank), count, part));
    });
}

void HostRing::scatter_sum(const at::Tensor& part, const at::Tensor& whole) {
    SharedSlots& slots = *slots_;
    std::int64_t ranks = slots.size();
    at::Tensor whole_PN = whole.view({ranks, -1}), part_N = part.view({-1});
    std::int64_t most = slot_numbers(part) / ranks;
    in_pieces(part_N.numel(), most, [&](std::int64_t begin, std::int64_t count) {
        numbers(slots.own(), ranks * count, part)
            .view({ranks, count})
            .copy_(whole_PN.narrow(1, begin, count));
        slots.say();
        add_up(slots, slots.self() * count, part_N.narrow(0, begin, count));
    });
}

}  // namespace stillroom::lm

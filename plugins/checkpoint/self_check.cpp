#include "plugins/checkpoint/self_check.h"

#include "engine/base/error.h"
#include "plugins/checkpoint/pieces.h"
#include "plugins/checkpoint/raw_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void differs(const fs::path& written, std::string_view tensor, std::string_view how) {
    throw Error({},
                fmt::format("{} was written and does not read back: {} {}",
                            written.string(),
                            lm::shown(tensor),
                            how))
        .hint("nothing was kept; is the disk, or the memory, sound?")
        .exit_code(kExitIntegrity);
}

struct Compared {
    bool same = true;
    lm::NumberCounts numbers;
};

/// Both as they lie there.
Compared compare_bytes(const lm::FolderTensor& from, const lm::FolderTensor& to, unsigned threads) {
    const std::size_t size = std::max(lm::bits_of(from.info->dtype) / 8, 1);
    const std::span<const std::byte> a = raw_bytes(from), b = raw_bytes(to);
    Compared out;
    in_pieces(
        a.size() / size,
        threads,
        [&](std::size_t first, std::size_t count) {
            const std::size_t at = first * size, some = count * size;
            Compared piece;
            piece.same = std::memcmp(a.data() + at, b.data() + at, some) == 0;
            piece.numbers = lm::count_numbers(from.info->dtype, a.subspan(at, some));
            forget(from, at, some);
            forget(to, at, some);
            return piece;
        },
        [&](const Compared& piece) {
            out.same = out.same && piece.same;
            out.numbers += piece.numbers;
        });
    from.file->check();
    to.file->check();
    return out;
}

/// The cast is made once more.
Compared compare_cast(const lm::FolderTensor& from, const lm::FolderTensor& to, unsigned threads) {
    const std::span<const std::byte> written = raw_bytes(to);
    std::size_t at = 0;
    Compared out;
    out.numbers = read_as(from, to.info->dtype, threads, [&](std::span<const std::byte> wanted) {
        out.same = out.same && at + wanted.size() <= written.size() &&
                   std::memcmp(written.data() + at, wanted.data(), wanted.size()) == 0;
        forget(to, at, wanted.size());
        at += wanted.size();
    });
    out.same = out.same && at == written.size();
    to.file->check();
    return out;
}

}  // namespace

SelfCheck check_written(
    const ModelFolder& source,
    const fs::path& written,
    std::optional<lm::Dtype> dtype,
    unsigned threads,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
    ModelFolder copy = open_model(written);
    SelfCheck out;
    std::uint64_t done = 0;
    for (const lm::FolderTensor& to : copy.tensors().tensors()) {
        const std::string& name = to.info->name;
        std::optional<lm::FolderTensor> from = source.tensors().find(name);
        if (!from)
            differs(written, name, "is not in the source");
        bool casts = from->info->dtype != to.info->dtype;
        if (to.info->shape != from->info->shape || (casts && to.info->dtype != dtype))
            differs(written, name, "has another shape or type than its source");
        Compared compared =
            casts ? compare_cast(*from, to, threads) : compare_bytes(*from, to, threads);
        if (!compared.same)
            differs(written, name, "differs from its source");
        out.numbers.add(name, compared.numbers);
        ++out.tensors;
        out.cast += casts;
        done += to.info->bytes;
        progress(done, copy.tensors().tensor_bytes());
    }
    for (const lm::FolderTensor& from : source.own_tensors())
        if (!copy.tensors().find(from.info->name))
            differs(written, from.info->name, "is missing");
    return out;
}

}  // namespace stillroom::checkpoint

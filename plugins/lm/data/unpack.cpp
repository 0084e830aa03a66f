// gzip and zstd as streams. Both libraries stop quietly where a file is cut between two calls, so
// the end of each member is asked for; and both formats may hold several, one behind the other.

#include "engine/base/error.h"
#include "plugins/lm/data/byte_stream.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <string>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;

/// What both have in common: packed bytes at hand, and whether a member is open.
class Unpacking : public ByteStream {
public:
    Unpacking(std::unique_ptr<ByteStream> packed, std::string name)
        : packed_(std::move(packed)),
          name_(std::move(name)),
          piece_(kPiece) {}

    std::uint64_t taken() const override { return packed_->taken(); }

protected:
    /// True if there are packed bytes at hand; reads more where there are none.
    bool refill() {
        if (at_ == end_) {
            at_ = 0;
            end_ = packed_->read(piece_);
        }
        return at_ < end_;
    }
    std::size_t left() const { return end_ - at_; }
    char* next() { return piece_.data() + at_; }
    void take(std::size_t count) { at_ += count; }

    [[noreturn]] void refuse(const std::string& why, const std::string& hint = {}) const {
        Error error({}, fmt::format("{}: {}", name_, why));
        if (!hint.empty())
            error.hint(hint);
        throw error.exit_code(kExitBadInput);
    }
    [[noreturn]] void refuse_cut(const char* part) const {
        refuse(fmt::format(
                   "the file is cut: it ends after {} bytes, inside a {}", packed_->taken(), part),
               "fetch or copy it again");
    }
    [[noreturn]] void refuse_damage(const char* part, const char* why) const {
        refuse(fmt::format("a {} is damaged near byte {}: {}",
                           part,
                           packed_->taken() - left(),
                           why ? why : "unknown"),
               "fetch or copy it again");
    }

private:
    std::unique_ptr<ByteStream> packed_;
    std::string name_;
    std::vector<char> piece_;
    std::size_t at_ = 0, end_ = 0;
};

class GzipStream final : public Unpacking {
public:
    GzipStream(std::unique_ptr<ByteStream> packed, std::string name)
        : Unpacking(std::move(packed), std::move(name)) {
        constexpr int kGzipOnly = 15 + 16;
        if (::inflateInit2(&state_, kGzipOnly) != Z_OK)
            throw Error({}, "no memory to unpack gzip").exit_code(kExitResource);
    }
    GzipStream(const GzipStream&) = delete;
    GzipStream& operator=(const GzipStream&) = delete;
    ~GzipStream() override { ::inflateEnd(&state_); }

    std::size_t read(std::span<char> into) override {
        std::size_t done = 0;
        while (done < into.size() && !ended_) {
            if (!refill()) {
                if (inside_ || !any_)
                    refuse_cut("gzip member");
                ended_ = true;
            } else if (inside_ || begins()) {
                done += inflate_some(into.subspan(done));
            }
        }
        return done;
    }

private:
    /// At the border of two members: zeros are padding, which tape and disk images leave.
    bool begins() {
        if (any_) {
            while (left() > 0 && *next() == 0)
                take(1);
            if (left() == 0)
                return false;
            if (*next() != '\x1f')
                refuse(
                    fmt::format("something that is no gzip follows its last member, near byte {}",
                                taken() - left()));
        }
        inside_ = any_ = true;
        return true;
    }

    std::size_t inflate_some(std::span<char> into) {
        constexpr std::size_t kMost = std::size_t{1} << 30;
        state_.next_in = reinterpret_cast<Bytef*>(next());
        state_.avail_in = static_cast<uInt>(left());
        state_.next_out = reinterpret_cast<Bytef*>(into.data());
        auto room = static_cast<uInt>(std::min(into.size(), kMost));
        state_.avail_out = room;
        int result = ::inflate(&state_, Z_NO_FLUSH);
        take(left() - state_.avail_in);
        if (result == Z_MEM_ERROR)
            throw Error({}, "no memory to unpack gzip").exit_code(kExitResource);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            refuse_damage("gzip member", state_.msg);
        if (result == Z_STREAM_END) {
            inside_ = false;
            ::inflateReset(&state_);
        }
        return room - state_.avail_out;
    }

    z_stream state_{};
    bool any_ = false;     // a member has begun, this one or one before
    bool inside_ = false;  // and is not yet at its end
    bool ended_ = false;
};

class ZstdStream final : public Unpacking {
public:
    ZstdStream(std::unique_ptr<ByteStream> packed, std::string name)
        : Unpacking(std::move(packed), std::move(name)),
          state_(::ZSTD_createDCtx(), &::ZSTD_freeDCtx) {
        if (!state_)
            throw Error({}, "no memory to unpack zstd").exit_code(kExitResource);
    }

    std::size_t read(std::span<char> into) override {
        ZSTD_outBuffer out{into.data(), into.size(), 0};
        while (out.pos < out.size && !ended_) {
            // A frame may still hold back bytes when all of it was taken.
            bool more = refill();
            if (!more && !inside_ && any_) {
                ended_ = true;
                break;
            }
            ZSTD_inBuffer in{next(), left(), 0};
            std::size_t before = out.pos;
            std::size_t result = ::ZSTD_decompressStream(state_.get(), &out, &in);
            take(in.pos);
            if (::ZSTD_isError(result))
                refuse_frame(result);
            any_ |= more;
            inside_ = result != 0;
            if (!more && out.pos == before)
                refuse_cut("zstd frame");
        }
        return out.pos;
    }

private:
    [[noreturn]] void refuse_frame(std::size_t result) const {
        std::string why = ::ZSTD_getErrorName(result);
        if (!inside_ && any_ && why.starts_with("Unknown frame"))
            refuse(fmt::format("something that is no zstd follows its last frame, near byte {}",
                               taken() - left()));
        if (why.starts_with("Frame requires too much memory"))
            refuse("its frames need a window of more than 128 MiB",
                   "pack it again without --long, or with --long=27");
        refuse_damage("zstd frame", why.c_str());
    }

    std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> state_;
    bool any_ = false;
    bool inside_ = false;
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> unpack(std::unique_ptr<ByteStream> packed,
                                   Packing packing,
                                   const std::string& name) {
    if (packing == Packing::gzip)
        return std::make_unique<GzipStream>(std::move(packed), name);
    if (packing == Packing::zstd)
        return std::make_unique<ZstdStream>(std::move(packed), name);
    return packed;
}

}  // namespace stillroom::lm

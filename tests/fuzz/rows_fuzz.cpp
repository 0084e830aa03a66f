// Any bytes are a file of rows, packed or not: unpacked, cut into lines, each line read as a row.
// The lines are together what was unpacked; a row that is taken is JSON for the engine's own reader
// too, and its text is the one that stands there.

#include "engine/base/error.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "plugins/lm/data/byte_stream.h"
#include "plugins/lm/data/json_rows.h"
#include "plugins/lm/data/line_blocks.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace stillroom;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

constexpr std::size_t kMostUnpacked = std::size_t{1} << 20;

class Bytes final : public lm::ByteStream {
public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
    std::size_t read(std::span<char> into) override {
        std::size_t count = std::min(into.size(), bytes_.size() - at_);
        std::copy_n(bytes_.data() + at_, count, into.data());
        at_ += count;
        return count;
    }
    std::uint64_t taken() const override { return at_; }

private:
    std::string_view bytes_;
    std::size_t at_ = 0;
};

/// What comes before the first error, and at most so much of a bomb.
std::string unpacked(std::string_view bytes, std::size_t piece) {
    lm::Packing packing = bytes.starts_with("\x1f\x8b")           ? lm::Packing::gzip
                          : bytes.starts_with("\x28\xb5\x2f\xfd") ? lm::Packing::zstd
                                                                  : lm::Packing::none;
    auto stream = lm::unpack(std::make_unique<Bytes>(bytes), packing, "fuzz");
    std::string out, part(piece, '\0');
    try {
        while (out.size() < kMostUnpacked) {
            std::size_t wanted = std::min(piece, kMostUnpacked - out.size());
            std::size_t count = stream->read({part.data(), wanted});
            out.append(part, 0, count);
            if (count < wanted)
                break;
        }
    } catch (const Error& error) {
        require(error.exit_code() == kExitBadInput, "it is the input that is bad");
        out.clear();  // how much came before depends on the piece
    }
    return out;
}

void check_row(std::string_view line) {
    lm::JsonRows rows({"text", "a.b"});
    bool taken = !rows.read(line);
    lm::JsonRows one({"text"});
    bool text_alone = !one.read(line);
    require(text_alone || !taken, "a field less is asked for, and the row is refused");
    if (!text_alone)
        return;
    std::string text(one.texts().front());
    require(!find_invalid_utf8(text), "a text is UTF-8");
    try {
        Json json = Json::parse(line);
        const Json* found = json.find("text");
        if (found)
            require(found->is_string() && found->string() == text, "it is the text of the field");
    } catch (const Error& error) {
        // Deeper than 64, or a key twice that nobody asked for: that reader is stricter.
        std::string_view why = error.what();
        require(why.find("nested") != why.npos || why.find("deep") != why.npos ||
                    why.find("twice") != why.npos || why.find("again") != why.npos,
                error.what());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    std::string text = unpacked(bytes, 4096);
    require(text == unpacked(bytes, 7), "the same bytes, whatever the pieces");
    Bytes stream(text);
    lm::LineBlocks lines(stream, 512);
    std::string all;
    for (std::string block; lines.next(block);) {
        all += block;
        std::string_view rest = block;
        while (!rest.empty())
            check_row(lm::take_line(rest));
    }
    require(lines.too_long() ? text.starts_with(all) : all == text, "lines are all of the text");
    return 0;
}

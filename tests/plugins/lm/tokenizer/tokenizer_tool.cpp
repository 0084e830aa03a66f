// The tokenizer on pipes, for scripts that compare it with other ones and for clocks.
//
//   tokenizer_tool FILE serve    frames on stdin, answers on stdout (fuzz.py)
//   tokenizer_tool FILE ids      text on stdin; its ids on stdout, little-endian, 32 bits each
//   tokenizer_tool FILE time N   text on stdin, encoded N times; seconds of the fastest
//
// A frame: 'e' or 'd', flags (1 specials around, 2 allow_special, 4 skip_special), size in 4 bytes,
// then text or ids. An answer: a count and numbers of 4 bytes (ids, then bounds), or size and text;
// 0xFFFFFFFF, size and a message where it was refused.

#include "engine/base/error.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

using namespace stillroom;
using namespace stillroom::lm;

bool read_exactly(void* into, std::size_t size) {
    return std::fread(into, 1, size, stdin) == size;
}

void put(std::uint32_t value) {
    std::fwrite(&value, sizeof value, 1, stdout);
}

void put_text(const std::string& text) {
    put(static_cast<std::uint32_t>(text.size()));
    std::fwrite(text.data(), 1, text.size(), stdout);
}

void answer(const Tokenizer& tokenizer, char what, unsigned flags, const std::string& body) {
    if (what == 'd') {
        std::vector<std::uint32_t> ids(body.size() / 4);
        std::memcpy(ids.data(), body.data(), ids.size() * 4);
        put_text(tokenizer.decode(ids, (flags & 4) != 0));
        return;
    }
    EncodeOptions options;
    options.add_special = (flags & 1) != 0;
    options.allow_special = (flags & 2) != 0;
    Encoding encoding = tokenizer.encode_with_bounds(body, options);
    static EncodeScratch scratch;
    std::vector<std::uint32_t> ids;
    tokenizer.encode(body, options, scratch, ids);
    if (ids != encoding.ids)
        throw Error({}, "encode and encode_with_bounds differ");
    put(static_cast<std::uint32_t>(ids.size()));
    std::fwrite(ids.data(), 4, ids.size(), stdout);
    std::fwrite(encoding.bounds.data(), 8, encoding.bounds.size(), stdout);
}

void serve(const Tokenizer& tokenizer) {
    char what[2];
    while (read_exactly(what, 2)) {
        std::uint32_t size = 0;
        if (!read_exactly(&size, 4))
            return;
        std::string body(size, '\0');
        if (!read_exactly(body.data(), size))
            return;
        try {
            answer(tokenizer, what[0], static_cast<unsigned char>(what[1]), body);
        } catch (const Error& error) {
            put(0xFFFFFFFF);
            put_text(error.render());
        }
        std::fflush(stdout);
    }
}

/// Of this thread's processor: others may be at work on the machine.
double seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::string all_of_stdin() {
    std::string text;
    char buffer[1 << 16];
    while (std::size_t size = std::fread(buffer, 1, sizeof buffer, stdin))
        text.append(buffer, size);
    return text;
}

int run(int count, char** words) {
    double start = seconds();
    Tokenizer tokenizer = Tokenizer::read(words[1]);
    double opened = seconds() - start;
    for (const std::string& notice : tokenizer.notices())
        std::fprintf(stderr, "notice: %s\n", notice.c_str());
    std::string mode = words[2];
    if (mode == "serve") {
        serve(tokenizer);
        return 0;
    }
    std::string text = all_of_stdin();
    IdBuffer ids;
    EncodeOptions options;
    options.add_special = false;
    options.allow_special = true;
    double best = 1e9;
    EncodeScratch scratch;
    for (int i = 0; i < (count > 3 ? std::atoi(words[3]) : 1); ++i) {
        ids.clear();
        double begin = seconds();
        tokenizer.encode(text, options, scratch, ids);
        best = std::min(best, seconds() - begin);
    }
    if (mode == "ids")
        std::fwrite(ids.data(), 4, ids.size(), stdout);
    else
        std::printf("%zu ids, %.6f s, %.1f MB/s, opened in %.1f ms\n",
                    ids.size(),
                    best,
                    static_cast<double>(text.size()) / best / 1e6,
                    opened * 1e3);
    return 0;
}

}  // namespace

int main(int count, char** words) {
    if (count < 3) {
        std::fprintf(stderr, "usage: tokenizer_tool FILE serve|ids|time [N]\n");
        return 2;
    }
    try {
        return run(count, words);
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.render().c_str());
        return error.exit_code();
    }
}

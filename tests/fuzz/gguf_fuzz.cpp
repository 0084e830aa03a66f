// Any bytes are a file. What is accepted keeps its word: keys and tensors lie inside the file, in
// order and without overlap, and their values can be read. What is a whole model becomes a folder:
// its small files are JSON, its tensors can be read.

#include "engine/base/error.h"
#include "engine/base/json_value.h"
#include "plugins/lm/weights/gguf.h"
#include "plugins/lm/weights/gguf_import.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void use(const stillroom::lm::GgufFile& file, std::uint64_t size) {
    std::uint64_t sum = 0;
    for (const auto& [key, value] : file.values()) {
        require(!key.empty() && file.find(key) == &value, "a key leads to its value");
        for (std::string_view text : value.strings)
            sum += std::count(text.begin(), text.end(), 'x');
        for (std::uint64_t i = 0; i < value.count && value.kind != stillroom::lm::GgufKind::string;
             ++i)
            sum += value.number(i).has_value();
        sum += std::count(value.bytes.begin(), value.bytes.end(), 'x');
    }
    std::uint64_t end = 0;
    for (const stillroom::lm::GgufTensor& tensor : file.tensors()) {
        require(tensor.offset >= end, "tensors do not overlap");
        end = tensor.offset + tensor.bytes;
        require(end <= size, "a tensor ends inside the file");
        auto values = static_cast<std::uint64_t>(stillroom::lm::elements(tensor.shape));
        require(values / tensor.type->values * tensor.type->bytes == tensor.bytes,
                "a tensor has the bytes of its shape");
        require(file.tensor(tensor.name) == &tensor, "a name leads to its tensor");
        std::vector<std::byte> bytes(tensor.bytes);
        file.read(tensor, 0, bytes);
    }
    if (sum == UINT64_MAX)  // what was added up is used
        std::puts("");
}

void import(const std::string& path) {
    stillroom::lm::GgufImport model = stillroom::lm::GgufImport::open(path);
    for (const stillroom::lm::GgufImport::SmallFile& file : model.files())
        require(stillroom::Json::parse(file.text).is_map(), "a small file is a JSON object");
    for (std::size_t i = 0; i < model.tensors().size(); ++i) {
        std::vector<std::byte> bytes(model.tensors()[i].bytes);
        model.read(i, bytes, 1);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    int fd = ::memfd_create("gguf", 0);
    require(fd >= 0, "there is a place for the file");
    std::string path = "/proc/self/fd/" + std::to_string(fd);
    require(::write(fd, data, size) == static_cast<ssize_t>(size), "it is written");
    try {
        use(stillroom::lm::GgufFile::open(path), size);
        import(path);
    } catch (const stillroom::Error& error) {
        require(error.exit_code() == stillroom::kExitBadInput, "it is the input that is bad");
    }
    ::close(fd);
    return 0;
}

#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace stillroom {

class RunContext;

/// A large file of an output. Other threads write it, and work out its digest so that the engine
/// need not read it again, while the caller makes what comes next:
///
///     OutputFile file(context, context.output("model") / "model.safetensors");
///     file.write(header);
///     for (const Tensor& tensor : tensors)
///         file.write(tensor.bytes());
///     file.close();
///
/// Written from front to back, never changed afterwards. Holds a chunk of 8 MiB, and one
/// more for each that leaves: as many as the stage has threads, at most four.
class STILLROOM_API OutputFile {
public:
    /// Throws Error (exit 4) if the file cannot be made, or is there already.
    OutputFile(RunContext& context, std::filesystem::path file);

    /// Not closed: the file is incomplete, and is removed.
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(std::string_view bytes);  ///< throws Error (exit 4), of what came before too

    /// Writes what is left, and tells the context size and digest. The disk is at work then: what
    /// the stage does next need not wait, as the engine syncs each file before it publishes any.
    void close();

    std::uint64_t size() const;  ///< bytes written so far

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stillroom

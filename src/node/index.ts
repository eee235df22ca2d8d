// The public names of megaflow/node: ports and tools that need Node. A list of named exports and nothing else.
export { createCaptureFile, readCapture, type CaptureFile } from './capture-file.js';

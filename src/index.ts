// The public names of megaflow: everything that runs without an operating system. A list of named exports and nothing
// else; what needs Node is in `megaflow/node`.
export {};

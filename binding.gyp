# A door, not a second build: in a checkout, `node-gyp rebuild` and prebuildify give what CMakeLists.txt describes.
# It is not in the tarball, where `papo build` does the same: npm (10 and 11, `npm ci`) and Yarn 1 would run it at every
# installation, "gypfile": false or not, since a lock file does not tell them of it (npm/cli#3341).
{
  "targets": [
    {
      "target_name": "papo",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "inputs": [],
          # Never written, so the action always runs and CMake decides what is out of date.
          "outputs": ["<(INTERMEDIATE_DIR)/always"],
          "action": ["node", "native/gyp-shim.mjs"]
        }
      ]
    }
  ]
}

# A door, not a second build: `node-gyp rebuild -C native` gives what CMakeLists.txt describes, as `papo build` does.
# It must not lie in the package's root: there npm (10 and 11, `npm ci`) and Yarn 1 run it at every installation,
# "gypfile": false or not, since a lock file does not tell them of it (npm/cli#3341).
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
          "action": ["node", "gyp-shim.mjs"]
        }
      ]
    }
  ]
}

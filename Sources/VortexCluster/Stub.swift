internal import VortexCore

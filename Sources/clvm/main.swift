print("clvm")

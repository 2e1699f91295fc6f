print("clvmd")

module website

go 1.24

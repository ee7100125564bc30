from roompulse.cli import main

main()

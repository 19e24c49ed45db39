/** The path of the program's first module. */
export declare function joinProgram(source: string): Promise<string>;
